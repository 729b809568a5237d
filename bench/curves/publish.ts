import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { curves } from './curves.ts';
import { DRAWN, type MeasuredCurve, type Measure, MEASURES } from './curve.ts';
import { pictureOf, short } from './picture.ts';

const FOLDER = fileURLToPath(new URL('../../docs/performance', import.meta.url));
const PAGE = fileURLToPath(new URL('../../docs/performance.md', import.meta.url));
const BEGIN = '<!-- curves: written by npm run bench -- --curves -->';
const END = '<!-- end of curves -->';

/** Each line of a curve as text: measures side by side, points below one another. */
function rowsOf(curve: MeasuredCurve): string[] {
  const head = [curve.axis, '', ...MEASURES.map(({ title }) => title)];
  const rows = curve.lines.flatMap(({ label, values }) =>
    values.map((value, at) => [
      curve.points[at]!.toLocaleString('en'),
      label,
      ...MEASURES.map(({ id }) => cell(value[id])),
    ]),
  );
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}

const cell = ({ median, min, max }: { median: number; min: number; max: number }): string =>
  `${short(median)} (${short(min)}–${short(max)})`;

export function print(curve: MeasuredCurve): void {
  console.log(`\n${curve.title}: ${curve.note}\n${aboutOf(curve)}\n${rowsOf(curve).join('\n')}`);
}

/** Numbers and pictures of a curve to docs/performance, and all that is there to docs/performance.md. */
export function publish(curve: MeasuredCurve): void {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(`${FOLDER}/${curve.id}.json`, `${JSON.stringify(curve, null, 1)}\n`);
  for (const measure of DRAWN)
    writeFileSync(`${FOLDER}/${fileOf(curve.id, measure.id)}`, pictureOf(curve, measure));
  const page = readFileSync(PAGE, 'utf8');
  const [before, after] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (before < 0 || after < before) throw new Error(`docs/performance.md has no place for curves: ${BEGIN}`);
  writeFileSync(PAGE, `${page.slice(0, before)}${BEGIN}\n\n${sections()}\n${page.slice(after)}`);
}

function sections(): string {
  const files = new Set(readdirSync(FOLDER));
  return curves
    .filter(({ id }) => files.has(`${id}.json`))
    .map(({ id }) => {
      const curve = JSON.parse(readFileSync(`${FOLDER}/${id}.json`, 'utf8')) as MeasuredCurve;
      const pictures = DRAWN.map(
        (measure) => `![${curve.title}: ${measure.title}](performance/${fileOf(id, measure.id)})`,
      );
      return `### ${curve.title}\n\n${curve.note}\n\n${aboutOf(curve)}\n\n${rowsOf(curve).join('\n')}\n\n${pictures.join('\n')}\n`;
    })
    .join('\n');
}

const fileOf = (id: string, measure: Measure): string => `${id}-${measure.toLowerCase()}.svg`;

function aboutOf({ facts }: MeasuredCurve): string {
  const of = (name: string): string => String(facts[name]);
  return `${of('date').slice(0, 16).replace('T', ' ')} UTC, commit ${of('commit')}, Node ${of('node')}, ${of('cores')} cores (${of('cpu')}), load average ${of('load_average_at_the_beginning')} at the beginning and ${of('load_average_at_the_end')} at the end; ${of('rounds')} rounds of ${of('seconds')} s, medians (lowest to highest); ${of('kept')} samples, ${of('disturbed')} of them disturbed, and ${of('rejected')} rejected; ${of('minutes')} minutes.`;
}
