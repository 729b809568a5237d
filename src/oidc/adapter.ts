import type { Adapter, AdapterFactory } from 'oidc-provider';
import { accessTokenAdapter } from './adapters/access-token-adapter.ts';
import type { AdapterDeps } from './adapters/adapter-deps.ts';
import { deviceCodeAdapter } from './adapters/device-code-adapter.ts';
import { codeAdapter } from './adapters/code-adapter.ts';
import { GrantAdapter } from './adapters/grant-adapter.ts';
import { interactionAdapter } from './adapters/interaction-adapter.ts';
import { pushedRequestAdapter } from './adapters/pushed-request-adapter.ts';
import { RefreshTokenAdapter } from './adapters/refresh-token-adapter.ts';
import { replayAdapter } from './adapters/replay-adapter.ts';
import { SessionAdapter } from './adapters/session-adapter.ts';
import { canBeServed } from './client-authentication.ts';
import { clientMetadata } from './client-metadata.ts';

/** One adapter per model, each narrowed to one app and one issuer before the library sees it. */
export function adapterFactory(deps: AdapterDeps): AdapterFactory {
  return (model) => {
    switch (model) {
      case 'Session':
        return new SessionAdapter(deps);
      case 'Grant':
        return new GrantAdapter(deps);
      case 'AuthorizationCode':
        return codeAdapter(deps);
      case 'RefreshToken':
        return new RefreshTokenAdapter(deps);
      case 'AccessToken':
      case 'ClientCredentials':
        return accessTokenAdapter(deps, model);
      case 'PushedAuthorizationRequest':
        return pushedRequestAdapter(deps);
      case 'DeviceCode':
        return deviceCodeAdapter(deps);
      case 'Interaction':
        return interactionAdapter(deps);
      case 'Client':
        return clientAdapter(deps);
      case 'ReplayDetection':
        return replayAdapter(refusingAdapter(model));
      default:
        return refusingAdapter(model);
    }
  };
}

function clientAdapter({ snapshot, mtls }: AdapterDeps): Adapter {
  return {
    ...refusingAdapter('Client'),
    find: (clientId) => {
      const client = snapshot.clients.get(clientId);
      const served = client && canBeServed(snapshot.app, client, mtls) ? client : undefined;
      return Promise.resolve(served && clientMetadata(snapshot.app, served));
    },
  };
}

/** For what is switched off: touching it is a bug, not a fall-through to some default store. */
function refusingAdapter(model: string): Adapter {
  const refuse = (): Promise<never> => Promise.reject(new Error(`${model} is not stored by this release`));
  return {
    upsert: refuse,
    find: refuse,
    findByUid: refuse,
    findByUserCode: refuse,
    consume: refuse,
    destroy: refuse,
    revokeByGrantId: refuse,
  };
}
