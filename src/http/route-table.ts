import type { Middleware } from 'koa';

/** One thing that this program answers, as a router writes it: `GET /auth/:app_id/interaction/:uid`. */
export type Route = {
  method: string;
  path: string;
  /** A body that the route accepts. */
  example?: Record<string, unknown> | undefined;
};

type Routed = Middleware & {
  router?: { stack: readonly { methods: readonly string[]; path: string | RegExp }[] };
};

const tables = new WeakMap<Middleware, readonly Route[]>();

/** Remembers what a middleware answers that is no koa router. The isolation matrix is generated from these tables. */
export function answering<M extends Middleware>(middleware: M, routes: readonly Route[]): M {
  tables.set(middleware, routes);
  return middleware;
}

/** What a surface answers. Throws for one that does not say: it could be reached and nobody would test it. */
export function routesOf(middleware: Middleware): readonly Route[] {
  const said = tables.get(middleware);
  if (said) return said;
  const { router } = middleware as Routed;
  if (!router) throw new Error(`a surface answers requests without a route table (see ${import.meta.url})`);
  return router.stack.flatMap(({ methods, path }) =>
    methods.filter((method) => method !== 'HEAD').map((method) => ({ method, path: String(path) })),
  );
}

/** `GET /healthz` → a route. */
export const routesNamed = (names: readonly string[]): Route[] =>
  names.map((name) => {
    const [method, path] = name.split(' ') as [string, string];
    return { method, path };
  });

/**
 * Stands for the parts that routes are declared with where only their declaration is wanted: whatever is asked of it,
 * beyond what is given, is again such a thing.
 */
export function unused<Parts extends object>(given: Partial<Parts> = {}): Parts {
  const nothing = () => unused();
  return new Proxy(nothing, {
    get(_, name) {
      if (Object.hasOwn(given, name)) return given[name as keyof Parts];
      if (name === Symbol.toPrimitive) return () => 'unused';
      // No list, and nothing to wait for.
      return name === Symbol.iterator ? [].values.bind([]) : name === 'then' ? undefined : unused();
    },
  }) as unknown as Parts;
}
