import type { Json } from './call.ts';
import { issuerUrl, type Side, type Stage } from './side.ts';

/** A client that registered itself with an initial access token, which can be used again. */
export async function registerItself(
  stage: Stage,
  side: Pick<Side, 'appId' | 'redirectUri'>,
): Promise<Side['registration']> {
  const issued = await stage.admin('POST', `/apps/${side.appId}/registration-tokens`, { name: 'Partner' });
  const initialToken = String(issued['registration_token']);
  const made = await registerClient(stage, side, initialToken);
  return {
    initialToken,
    tokenId: String(issued['token_id']),
    clientId: String(made['client_id']),
    token: String(made['registration_access_token']),
  };
}

export async function registerClient(
  { send, baseUrl }: Stage,
  { appId, redirectUri }: Pick<Side, 'appId' | 'redirectUri'>,
  initialToken: string,
): Promise<Json> {
  const { status, json, text } = await send({
    method: 'POST',
    url: `${issuerUrl(baseUrl, appId, 'own')}/clients/register`,
    headers: { authorization: `Bearer ${initialToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ client_name: 'Partner', redirect_uris: [redirectUri] }),
  });
  if (status !== 201) throw new Error(`nothing was registered at ${appId}: ${status} ${text.slice(0, 300)}`);
  return json!;
}

/** The registration, as the client itself reads it (RFC 7592 §2.1). */
export async function readRegistration(
  { send, baseUrl }: Stage,
  { appId, registration }: Side,
): Promise<void> {
  const { status } = await send({
    method: 'GET',
    url: `${issuerUrl(baseUrl, appId, 'own')}/clients/register/${registration.clientId}`,
    headers: { authorization: `Bearer ${registration.token}` },
  });
  if (status !== 200) throw new Error(`the registration answered ${status}`);
}
