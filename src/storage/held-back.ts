import type pg from 'pg';

/** What a connection writes to; pg does not name it. */
type Socket = { cork(): void; uncork(): void };

/** Holds back what is written to a connection until `later` calls, and sends it in one piece: that wakes Postgres once. */
export function holdBack(client: pg.PoolClient, later: (release: () => void) => void): void {
  const socket = (client as unknown as { connection: { stream: Socket } }).connection.stream;
  socket.cork();
  later(() => socket.uncork());
}
