// What built-in tools work with; the worker makes these for each call, of the run's org and user.

export interface FoundPassage {
  readonly passageId: string;
  readonly documentId: string;
  readonly base: string;
  readonly title: string;
  readonly headings: readonly string[];
  readonly text: string;
}

export interface KnowledgePort {
  /** `notes`: for the model, of bases that could not be searched. What is found is cited. */
  readonly search: (
    query: string,
    base: string | undefined,
  ) => Promise<{ readonly passages: readonly FoundPassage[]; readonly notes: readonly string[] }>;
}

export interface FoundMemory {
  readonly memoryId: string;
  readonly content: string;
}

export interface MemoryPort {
  readonly recall: (query: string) => Promise<readonly FoundMemory[]>;
  /** `already`: it stood there before. `full`: the user has as many as may be kept. */
  readonly remember: (
    content: string,
  ) => Promise<
    { readonly kind: 'KEPT' | 'ALREADY'; readonly memoryId: string } | { readonly kind: 'FULL' }
  >;
  /** False: there is no such memory of this user. */
  readonly forget: (memoryId: string) => Promise<boolean>;
}
