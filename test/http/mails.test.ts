import { expect } from 'chai';
import { composeMail } from '../../src/http/mails.ts';

describe('the words of a mail', () => {
  const bodyFor = (hours: number, locale: string): string =>
    composeMail('invitation', { app_name: 'Shop', expires_hours: hours }, locale).paragraphs[0]!;

  it('tell a week in days and a day in hours, in every language', () => {
    const words: Record<string, [week: string, day: string]> = {
      en: ['7 days', '24 hours'],
      de: ['7 Tage', '24 Stunden'],
      es: ['7 días', '24 horas'],
      fr: ['7 jours', '24 heures'],
      pt: ['7 dias', '24 horas'],
      ja: ['7日間', '24時間'],
      ar: ['أيام', 'ساعة'],
    };
    for (const [locale, [week, day]] of Object.entries(words)) {
      expect(bodyFor(168, locale)).to.contain(week);
      expect(bodyFor(24, locale)).to.contain(day);
      expect(bodyFor(36, locale)).not.to.contain('{');
    }
    expect(bodyFor(1, 'en')).to.contain('1 hour.');
  });
});
