/** `sub` of a user as a client knows it: the one place that decides it for tokens that are not made by the library. */
export function subjectFor(_client: { clientId: string }, userId: string): string {
  return userId;
}
