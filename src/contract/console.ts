// What the console's page has to know before a user is signed in; nothing in it is secret.

export interface ConsoleSettings {
  /** link: development's one-time link, or a pasted token; token: a pasted token alone. */
  readonly signIn:
    | { readonly kind: 'link' | 'token' }
    | {
        readonly kind: 'oidc';
        readonly issuer: string;
        readonly clientId: string;
        readonly audience: string | null;
      };
  /** Where Temporal's Web UI shows workflows, up to a workflow's id; null where that is unknown. */
  readonly workflowsUrl: string | null;
}
