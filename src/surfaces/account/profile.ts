import { LOCALES } from '../../http/messages.ts';
import { scoped } from '../../storage/database.ts';
import { editProfile, OWN_CLAIMS, type OwnClaim } from '../../users/edit-profile.ts';
import { type Profile, profileChangeSchema } from '../../users/profile.ts';
import { userById } from '../../users/store.ts';
import { notSignedIn } from './errors.ts';
import { goBack, sentenceOf, showAccount, type Visit } from './visit.ts';

type Typed = Partial<Record<OwnClaim, string | undefined>>;

/** As browsers fill them in (HTML §4.10.18.7). */
const AUTOCOMPLETE: Partial<Record<OwnClaim, string>> = {
  name: 'name',
  given_name: 'given-name',
  family_name: 'family-name',
  nickname: 'nickname',
};
const NO_TEXT = new Set<OwnClaim>(['locale', 'zoneinfo']);

export async function showProfile(visit: Visit): Promise<void> {
  const { appId, deps, session } = visit;
  const user = await userById(scoped(deps.db, appId), appId, session.userId);
  if (!user) throw notSignedIn();
  show(visit, { ...user.profile, locale: user.profile.locale ?? user.locale });
}

/** Only these fields are read: whatever else a form brings (`email_verified`, `sub`, roles) has no effect. */
export async function saveProfile(visit: Visit): Promise<void> {
  const { appId, deps, form, session, by } = visit;
  const typed = Object.fromEntries(
    OWN_CLAIMS.flatMap((claim) => (form[claim] === undefined ? [] : [[claim, form[claim].trim()]])),
  ) as Typed;
  const change = Object.fromEntries(Object.entries(typed).map(([claim, value]) => [claim, value || null]));
  const read = profileChangeSchema.safeParse(change);
  if (!read.success) {
    const faults = Object.fromEntries(
      read.error.issues.map(({ path: [claim], code, ...issue }) => [
        String(claim),
        'maximum' in issue && code === 'too_big' && !NO_TEXT.has(claim as OwnClaim)
          ? sentenceOf(visit, 'problem.text_long', { max: Number(issue.maximum) })
          : sentenceOf(visit, NO_TEXT.has(claim as OwnClaim) ? 'problem.choose' : 'problem.text'),
      ]),
    );
    return show(visit, typed, faults);
  }
  await editProfile(deps.db, { appId, userId: session.userId, change: read.data, by });
  goBack(visit, 'profile', 'profile');
}

function show(visit: Visit, values: Typed | Profile, faults: Record<string, string> = {}): void {
  const isWrong = Object.keys(faults).length > 0;
  if (isWrong) visit.ctx.status = 400;
  const { locale = '', zoneinfo = '' } = values;
  const field = (claim: OwnClaim) => ({
    name: claim,
    label: sentenceOf(visit, `profile.${claim}`),
    autocomplete: AUTOCOMPLETE[claim] ?? 'off',
    value: values[claim] ?? '',
    fault: faults[claim] ?? null,
  });
  showAccount(visit, 'profile', {
    action: `${visit.root}/profile`,
    texts: OWN_CLAIMS.filter((claim) => !NO_TEXT.has(claim)).map(field),
    choices: [
      { ...field('locale'), options: withOwn(languages(), locale) },
      { ...field('zoneinfo'), options: withOwn(timeZones(), zoneinfo) },
    ],
    problem: isWrong ? sentenceOf(visit, 'problem.not_saved') : null,
  });
}

type Option = { value: string; label: string };

/** What an application has written there stays a choice, even where it is none of ours. */
const withOwn = (options: readonly Option[], own: string): readonly Option[] =>
  own === '' || own.length > 64 || options.some(({ value }) => value === own)
    ? options
    : [{ value: own, label: own }, ...options];

const languages = (): Option[] =>
  LOCALES.map((value) => ({
    value,
    label: new Intl.DisplayNames([value], { type: 'language' }).of(value) ?? value,
  }));

let zones: readonly Option[] | undefined;
const timeZones = (): readonly Option[] =>
  (zones ??= ['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')].map((value) => ({
    value,
    label: value,
  })));
