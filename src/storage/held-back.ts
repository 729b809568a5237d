/** What a connection to a store writes to; their clients do not name it. */
export type Socket = { cork(): void; uncork(): void };

/** Holds back what is written to a connection until `later` calls, and sends it in one piece: that wakes the store once. */
export function holdBack(socket: Socket, later: (release: () => void) => void): void {
  socket.cork();
  later(() => socket.uncork());
}

/** The socket of a client of `pg`. */
export const socketOf = (client: object): Socket =>
  (client as { connection: { stream: Socket } }).connection.stream;
