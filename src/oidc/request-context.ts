import type { IncomingMessage, ServerResponse } from 'node:http';
import { Provider } from 'oidc-provider';

/** Makes the library's context of a request, or gives the one that was made. */
type OfLibrary = (() => unknown) | undefined;

type Context = ReturnType<Provider['createContext']> & { [MADE_BY]?: OfLibrary };
type Shared = Pick<Provider, 'context' | 'request' | 'response'>;

const MADE_BY = Symbol('made by');
let shared: Shared | undefined;

/**
 * What the engine needs to be quick with many providers, and with one (decision 0048).
 *
 * Koa gives each application three empty objects that its contexts, requests and responses inherit from
 * (`app.context` and its like): a thousand providers would have a thousand shapes of each, and no access to a property
 * could be remembered. Ours have the same three, frozen: what one app would put there is refused.
 *
 * For each request the library defines an accessor `oidc` on the context. V8 keeps accessors among what is old from
 * the start, and what these lead to (all that the request has made) outlives it until the next full collection. So
 * that definition is caught: the function is kept as a value, and the accessor is one for all, in what they inherit.
 */
export function shareContexts(provider: Provider): void {
  shared ??= {
    context: Object.freeze(
      Object.defineProperty(emptied(provider.context), 'oidc', {
        get(this: Context) {
          return this[MADE_BY]?.();
        },
      }),
    ),
    request: Object.freeze(emptied(provider.request)),
    response: Object.freeze(emptied(provider.response)),
  };
  Object.assign(provider, shared, { createContext });
}

const emptied = <T extends object>(prototype: T): T =>
  Object.create(Object.getPrototypeOf(prototype) as T) as T;

const catching: ProxyHandler<Context> = {
  defineProperty(context, name, described) {
    if (name !== 'oidc') return Reflect.defineProperty(context, name, described);
    context[MADE_BY] = described.get;
    return described.get !== undefined;
  },
};

/** Koa's own, which everybody sees through the same proxy. */
function createContext(this: Provider, req: IncomingMessage, res: ServerResponse): Context {
  const made: Context = Provider.prototype.createContext.call(this, req, res);
  const context = new Proxy(made, catching);
  made.request.ctx = made.response.ctx = context;
  return context;
}
