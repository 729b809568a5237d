import { isTimeZone } from '../kernel/time-zone.ts';
import { asLocale, type Locale } from './messages.ts';

/** Tells a moment (ISO 8601) in words; what is none, as it came. */
export type Clock = (iso: string) => string;

const UTC = 'UTC';
const clocks = new Map<Locale, Clock>();

/** A moment as people write it, for readers whose time zone is not known. */
export const timeIn = (locale: string, iso: string): string => clockFor(locale)(iso);

/**
 * As people who use this language write it, in a time zone of the IANA database. The zone is named beside it: no reader
 * could know whose it is.
 */
export function clockFor(locale: string, timeZone: string = UTC): Clock {
  const known = asLocale(locale) ?? 'en';
  if (timeZone !== UTC) return clockOf(known, timeZone);
  // As dear as the rest of a mail: made once. Names of other zones are words of people, so those are not kept.
  const clock = clocks.get(known) ?? clockOf(known, UTC);
  clocks.set(known, clock);
  return clock;
}

function clockOf(locale: Locale, asked: string): Clock {
  const timeZone = isTimeZone(asked) ? asked : UTC;
  const format = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short', timeZone });
  const zone = new Intl.DateTimeFormat(locale, { timeZone, timeZoneName: 'short' });
  return (iso) => {
    const date = new Date(iso);
    if (Number.isNaN(date.getTime())) return iso;
    const parts = format.formatToParts(date);
    const hour = parts.findIndex(({ type }) => type === 'hour');
    // The time of day is one word: no line of a telephone ends in the middle of it.
    const text = parts.map(({ value }, i) => (i > hour ? value.replaceAll(/\s/g, '\u00a0') : value)).join('');
    const name = zone.formatToParts(date).find(({ type }) => type === 'timeZoneName')?.value ?? timeZone;
    return `${text}\u00a0${name}`;
  };
}
