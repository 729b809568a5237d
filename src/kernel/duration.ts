/** Lengths of time in seconds. */
export const seconds = {
  minute: 60,
  hour: 3600,
  day: 86_400,
} as const;

/** "10 minutes", "1 hour", "14 days": for messages to people in English logs only. */
export function inWords(lengthSeconds: number): string {
  const [count, unit] =
    lengthSeconds >= seconds.day
      ? [Math.round(lengthSeconds / seconds.day), 'day']
      : lengthSeconds >= seconds.hour
        ? [Math.round(lengthSeconds / seconds.hour), 'hour']
        : lengthSeconds >= seconds.minute
          ? [Math.round(lengthSeconds / seconds.minute), 'minute']
          : [Math.round(lengthSeconds), 'second'];
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}
