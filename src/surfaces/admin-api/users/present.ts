import { scopesOf } from '../../../users/grants/scopes.ts';
import { deviceInWords } from '../../../http/device-in-words.ts';
import { deviceOf } from '../../../users/devices/device-name.ts';
import { type Places, placeInWords } from '../../../users/places/places.ts';
import type { GrantRow } from '../../../users/grants/store.ts';
import type { SessionRow } from '../../../users/sessions/store.ts';

export function presentSession(session: SessionRow, places: Places) {
  const device = deviceOf(session.user_agent);
  const place = places.of(session.address, 'en');
  return {
    session_id: session.session_id,
    user_agent: session.user_agent,
    address: session.address,
    device: { ...device, text: deviceInWords('en', device) || null },
    place: place ? { ...place, text: placeInWords(place) } : null,
    clients: session.clients,
    amr: session.amr ?? [],
    created_at: session.created_at.toISOString(),
    last_active_at: session.last_active_at.toISOString(),
    expires_at: session.expires_at.toISOString(),
  };
}

export function presentGrant(grant: GrantRow) {
  return {
    grant_id: grant.grant_id,
    client_id: grant.client_id,
    client_name: grant.client_name,
    scopes: scopesOf(grant.payload),
    session_id: grant.session_id,
    created_at: grant.created_at.toISOString(),
    expires_at: grant.expires_at.toISOString(),
  };
}
