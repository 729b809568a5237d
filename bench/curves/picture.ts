import type { MeasuredCurve, Measure } from './curve.ts';

const WIDTH = 720;
const HEIGHT = 300;
const EDGE = { left: 64, right: 190, top: 40, bottom: 48 };
const INNER = { width: WIDTH - EDGE.left - EDGE.right, height: HEIGHT - EDGE.top - EDGE.bottom };
/** Told apart by those who see fewer colours, too: each has a dash and a mark of its own. */
const DASHES = ['', '7 4', '2 4', '9 3 2 3', '4 2'];

/** What is drawn of a curve, line by line. */
type Drawn = { label: string; values: Range[] }[];
type Range = { median: number; min: number; max: number };

/**
 * Several kinds of operations are too far apart for one scale: each is drawn in parts of what it was at the first point.
 * Memory is the process's, whatever it was asked last.
 */
function drawnOf({ lines }: MeasuredCurve, measure: Measure): Drawn {
  if (measure === 'rss') return lines.slice(-1).map((line) => ({ label: 'process', values: valuesOf(line) }));
  return lines.map((line) => {
    const values = valuesOf(line);
    const first = lines.length > 1 ? values[0]!.median : 1;
    const part = ({ median, min, max }: Range): Range => ({
      median: median / first,
      min: min / first,
      max: max / first,
    });
    return { label: line.label, values: values.map(part) };
  });
  function valuesOf(line: MeasuredCurve['lines'][number]): Range[] {
    return line.values.map((value) => value[measure]);
  }
}

/**
 * A measure of a curve as SVG: the axis of numbers by powers of ten, the other from zero. It follows the reader's
 * choice of dark or light, and says in words what it shows.
 */
export function pictureOf(
  curve: MeasuredCurve,
  { id: measure, title }: { id: Measure; title: string },
): string {
  const drawn = drawnOf(curve, measure);
  const heading = drawn.length > 1 ? `${title}, as a multiple of the first point` : title;
  const most = niceAbove(Math.max(...drawn.flatMap(({ values }) => values.map(({ max }) => max))));
  const x = scaleOf(curve.points);
  const y = (value: number): number => EDGE.top + INNER.height * (1 - value / most);
  const parts = [
    ...grid(most, y),
    ...curve.points.map(
      (point) =>
        `<text class="t" x="${place(x(point))}" y="${HEIGHT - EDGE.bottom + 18}" text-anchor="middle">${point.toLocaleString('en')}</text>`,
    ),
    `<text class="t" x="${EDGE.left + INNER.width / 2}" y="${HEIGHT - 8}" text-anchor="middle">${escape(curve.axis)}</text>`,
    `<text class="h" x="${EDGE.left}" y="22">${escape(heading)}</text>`,
    ...drawn.flatMap(({ label, values }, at) =>
      lineOf({ at, label, dots: values.map((one, n) => [x(curve.points[n]!), one]) }, y),
    ),
  ];
  const said = drawn
    .map(({ label, values }) => `${label}: ${values.map(({ median }) => short(median)).join(', ')}`)
    .join('; ');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-labelledby="t d">
<title id="t">${escape(`${curve.title}: ${heading}`)}</title>
<desc id="d">${escape(`${curve.axis} ${curve.points.join(', ')}. ${said}.`)}</desc>
<style>${STYLE}</style>
<rect class="b" width="${WIDTH}" height="${HEIGHT}" rx="6"/>
${parts.join('\n')}
</svg>
`;
}

const STYLE = `
:root{--b:#fff;--f:#1f2328;--g:#d8dee4;--c0:#0b5cad;--c1:#b3470a;--c2:#1a7f37;--c3:#8250df;--c4:#57606a}
@media (prefers-color-scheme:dark){:root{--b:#0d1117;--f:#e6edf3;--g:#30363d;--c0:#6cb6ff;--c1:#ffa657;--c2:#7ee787;--c3:#d2a8ff;--c4:#b1bac4}}
.b{fill:var(--b)}.g{stroke:var(--g)}.t,.h{font:12px system-ui,sans-serif;fill:var(--f)}.h{font-size:14px;font-weight:600}
.l{fill:none;stroke-width:2}.e{stroke-width:1.2;opacity:.7}
${[0, 1, 2, 3, 4].map((n) => `.s${n}{stroke:var(--c${n})}.f${n}{fill:var(--c${n})}`).join('')}
`;

function grid(most: number, y: (value: number) => number): string[] {
  return [0, 0.25, 0.5, 0.75, 1].flatMap((share) => {
    const value = most * share;
    const at = place(y(value));
    return [
      `<line class="g" x1="${EDGE.left}" x2="${EDGE.left + INNER.width}" y1="${at}" y2="${at}"/>`,
      `<text class="t" x="${EDGE.left - 8}" y="${place(y(value) + 4)}" text-anchor="end">${short(value)}</text>`,
    ];
  });
}

type Dot = [x: number, value: Range];

function lineOf(line: { at: number; label: string; dots: Dot[] }, y: (value: number) => number): string[] {
  const colour = line.at % DASHES.length;
  const path = line.dots.map(([x, { median }]) => `${place(x)},${place(y(median))}`).join(' ');
  const [legendX, legendY] = [WIDTH - EDGE.right + 14, EDGE.top + 10 + line.at * 22];
  return [
    `<polyline class="l s${colour}" stroke-dasharray="${DASHES[colour]}" points="${path}"/>`,
    ...line.dots.flatMap(([x, { median, min, max }]) => [
      `<line class="e s${colour}" x1="${place(x)}" x2="${place(x)}" y1="${place(y(min))}" y2="${place(y(max))}"/>`,
      `<circle class="f${colour}" cx="${place(x)}" cy="${place(y(median))}" r="3.5"/>`,
    ]),
    `<line class="l s${colour}" stroke-dasharray="${DASHES[colour]}" x1="${legendX}" x2="${legendX + 28}" y1="${legendY}" y2="${legendY}"/>`,
    `<text class="t" x="${legendX + 36}" y="${legendY + 4}">${escape(line.label)}</text>`,
  ];
}

/** Powers of ten are equally far apart; a point alone is in the middle. */
function scaleOf(points: readonly number[]): (point: number) => number {
  const [low, high] = [Math.log10(points[0]!), Math.log10(points.at(-1)!)];
  return (point) =>
    EDGE.left + 24 + (INNER.width - 48) * (high === low ? 0.5 : (Math.log10(point) - low) / (high - low));
}

function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-6)));
  return [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= value)!;
}

export const short = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
const place = (value: number): string => value.toFixed(1);
const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
