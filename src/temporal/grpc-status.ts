// The status of a refused gRPC call, by the codes of gRPC's own list.

export const NOT_FOUND = 5;
export const PERMISSION_DENIED = 7;
export const UNIMPLEMENTED = 12;

export const codeOf = (error: unknown): unknown =>
  (error as { readonly code?: unknown } | null)?.code;
