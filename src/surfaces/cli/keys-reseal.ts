import { type Command, jsonFlag } from './command.ts';
import { withAdministration } from './with-administration.ts';

export const keysReseal: Command = {
  name: 'keys reseal',
  summary:
    'Seal everything at rest under the newest of ENCRYPTION_KEYS. Exit code 0 when nothing is left under another.',
  flags: jsonFlag,
  run({ program, values, print }) {
    return withAdministration(program, async (administration) => {
      const columns = await administration.reseal();
      const sum = (name: 'resealed' | 'unreadable' | 'remaining') =>
        columns.reduce((total, column) => total + column[name], 0);
      const totals = {
        resealed: sum('resealed'),
        unreadable: sum('unreadable'),
        remaining: sum('remaining'),
      };
      if (values['json']) print.out(JSON.stringify({ ...totals, columns }));
      else
        print.out(
          `Sealed anew: ${totals.resealed}. Still under an older key: ${totals.remaining}, of which no key of ENCRYPTION_KEYS opens ${totals.unreadable}.`,
        );
      return totals.remaining === 0 ? 0 : 1;
    });
  },
};
