import { loadConfig } from '../../config/load.ts';
import type { Plan, PlannedMigration } from '../../storage/migrate.ts';
import { createLogger } from '../../telemetry/log.ts';
import { type Command, jsonFlag, UsageFault } from './command.ts';

export const migrate: Command = {
  name: 'migrate',
  summary: 'Bring the schema up to date and stop.',
  flags: {
    plan: { type: 'boolean', note: 'Only say what is pending, and what each migration locks.' },
    ...jsonFlag,
  },
  async run({ program, values, print }) {
    const { plan, json } = values;
    if (json && !plan) throw new UsageFault('--json goes with --plan');
    const config = loadConfig();
    const log = createLogger(config);
    if (plan) {
      const planned = await program.planMigration(config, log);
      print.out(json ? JSON.stringify(planned) : inWords(planned));
      return 0;
    }
    const applied = await program.migrate(config, log);
    print.out(applied.length ? `Applied: ${applied.join(', ')}` : 'The schema is up to date.');
    return 0;
  },
};

function inWords({ pending, note }: Plan): string {
  if (pending.length === 0) return note ? `Nothing to do: ${note}.` : 'The schema is up to date.';
  const one = pending.length === 1;
  return [
    `${one ? 'One migration is' : `${pending.length} migrations are`} pending. Nothing was changed; \`latchkey migrate\` applies ${one ? 'it' : 'them'}.`,
    ...pending.map(migrationInWords),
  ].join('\n\n');
}

function migrationInWords({ name, locks, serves, in_transaction, indexes }: PlannedMigration): string {
  const lines = [
    ...(locks?.map((line) => `locks   ${line}`) ?? ['locks   (the file does not say)']),
    ...(locks?.length === 0 ? ['locks   nothing that serves'] : []),
    ...indexes.map(
      (index) =>
        `builds  ${index.name} beforehand, while others read and write ${index.table} (${Math.ceil(index.bytes / 1e6)} MB)`,
    ),
    ...(in_transaction
      ? []
      : ['runs    statement by statement; one that is interrupted goes on at the next start']),
    `serves  ${serves === undefined ? 'no older program' : `programs that know ${serves} go on serving`}`,
  ];
  return [name, ...lines.map((line) => `  ${line}`)].join('\n');
}
