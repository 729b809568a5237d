export type ApiScope = {
  name: string;
  /** What it allows, in words for the people who are asked. */
  description: string;
  /** Given when a request names no scope at all (RFC 6749 §3.3). */
  default: boolean;
};

/** A resource server of one app (RFC 8707): an audience of its own with scopes of its own. */
export type Api = {
  appId: string;
  apiId: string;
  /** The audience of its tokens, exactly as registered. */
  identifier: string;
  name: string;
  scopes: ApiScope[];
  /** Seconds; undefined: as the app's. */
  accessTokenTtl: number | undefined;
  /** Confidential clients that are this API: they may introspect tokens for it and exchange them. */
  serverClients: string[];
  createdAt: Date;
  updatedAt: Date;
};

/** How an identifier is compared: as URL parsers write it, so that `https://Api.example` and `https://api.example/` are one. */
export const identifierKey = (identifier: string): string =>
  URL.canParse(identifier) ? new URL(identifier).href : identifier;

/** What an access token of the app may be for, by `identifierKey`. */
export type Apis = ReadonlyMap<string, Api>;

export const apiOf = (apis: Apis, identifier: string): Api | undefined => apis.get(identifierKey(identifier));

/** The API whose tokens carry this audience. Exact: it was written from the registered value. */
export function apiOfAudience(apis: Apis, audience: unknown): Api | undefined {
  if (typeof audience !== 'string') return undefined;
  const api = apiOf(apis, audience);
  return api?.identifier === audience ? api : undefined;
}

export const scopeNames = (api: Api): string[] => api.scopes.map((scope) => scope.name);

/** Names that mean something only together with the API they belong to. */
export const allScopeNames = (apis: Apis): Set<string> => new Set([...apis.values()].flatMap(scopeNames));

export const identifiersOf = (apis: Apis): string[] => [...apis.values()].map((api) => api.identifier);
