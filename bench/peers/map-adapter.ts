import type { Adapter, AdapterPayload } from 'oidc-provider';

/** The semantics of the library's own memory adapter without its limit of a thousand entries, which would lose sessions. */
const store = new Map<string, unknown>();

export class MapAdapter implements Adapter {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  async upsert(id: string, payload: AdapterPayload): Promise<void> {
    const key = this.#key(id);
    store.set(key, payload);
    if (payload.uid) store.set(`uid:${payload.uid}`, id);
    if (payload.userCode) store.set(`userCode:${payload.userCode}`, id);
    if (payload.grantId && this.name !== 'Grant') {
      const list = (store.get(`grant:${payload.grantId}`) as string[] | undefined) ?? [];
      list.push(key);
      store.set(`grant:${payload.grantId}`, list);
    }
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    return store.get(this.#key(id)) as AdapterPayload | undefined;
  }

  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return this.find(String(store.get(`uid:${uid}`)));
  }

  async findByUserCode(code: string): Promise<AdapterPayload | undefined> {
    return this.find(String(store.get(`userCode:${code}`)));
  }

  async consume(id: string): Promise<void> {
    (store.get(this.#key(id)) as AdapterPayload)['consumed'] = Math.floor(Date.now() / 1000);
  }

  async destroy(id: string): Promise<void> {
    store.delete(this.#key(id));
  }

  async revokeByGrantId(grantId: string): Promise<void> {
    for (const key of (store.get(`grant:${grantId}`) as string[] | undefined) ?? []) store.delete(key);
    store.delete(`grant:${grantId}`);
  }

  #key(id: string): string {
    return `${this.name}:${id}`;
  }
}
