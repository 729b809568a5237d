/** A real client library in a small app of its own, in `clients/<name>`; every app answers the same few paths. */
export type InteropClient = {
  name: string;
  /** The package whose version is told, and what runs the app. */
  package: string;
  language: 'node' | 'browser' | 'python' | 'go' | 'java' | 'rust';
  type: 'web' | 'spa';
  /** Where the library wants the answer. */
  callback: string;
  /** Settings of the client that the library's way of working needs. */
  settings?: Record<string, unknown>;
  /** What the lie is about that the library must notice; it decodes ID tokens and trusts TLS for the rest. */
  lie?: 'nonce';
  /** A page of the library's own, on which one button begins the sign-in. */
  begins?: RegExp;
};

export const clients: readonly InteropClient[] = [
  {
    name: 'openid-client',
    package: 'openid-client',
    language: 'node',
    type: 'web',
    callback: '/callback',
  },
  {
    name: 'oauth4webapi',
    package: 'oauth4webapi',
    language: 'node',
    type: 'web',
    callback: '/callback',
  },
  {
    name: 'auth-js',
    package: '@auth/express',
    language: 'node',
    type: 'web',
    callback: '/auth/callback/latchkey',
    begins: /Sign in with Latchkey/,
  },
  {
    name: 'express-openid-connect',
    package: 'express-openid-connect',
    language: 'node',
    type: 'web',
    callback: '/callback',
  },
  {
    name: 'passport-openidconnect',
    package: 'passport-openidconnect',
    language: 'node',
    type: 'web',
    callback: '/callback',
    // It knows no PKCE; state and nonce are all it has.
    settings: { pkce_required: false },
  },
  {
    name: 'oidc-client-ts',
    package: 'oidc-client-ts',
    language: 'browser',
    type: 'spa',
    callback: '/callback',
    lie: 'nonce',
  },
  {
    name: 'authlib',
    package: 'authlib',
    language: 'python',
    type: 'web',
    callback: '/callback',
  },
  {
    name: 'go-oidc',
    package: 'github.com/coreos/go-oidc/v3',
    language: 'go',
    type: 'web',
    callback: '/callback',
  },
  {
    name: 'nimbus',
    package: 'com.nimbusds:oauth2-oidc-sdk',
    language: 'java',
    type: 'web',
    callback: '/callback',
  },
  {
    name: 'openidconnect-rs',
    package: 'openidconnect',
    language: 'rust',
    type: 'web',
    callback: '/callback',
  },
];
