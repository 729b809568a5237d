import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { findCycle, functionsOf, readSourceFiles, root, type SourceFile } from './source-files.ts';

// Lowest first. A file imports its own folder and the ones before it.
const FLOORS = [
  'kernel',
  'config',
  'telemetry',
  'storage',
  'http',
  'delivery',
  'events',
  'apps',
  'users',
  'organizations',
  'oidc',
  'sign-in',
  'surfaces',
];

// Above all floors: the process, and what decides which driver is used.
const COMPOSITION = [
  'src/main.ts',
  'src/app.ts',
  'src/open-stores.ts',
  'src/administer.ts',
  'src/cluster.ts',
  'src/back-up.ts',
  'src/parts.ts',
  'src/sealed-columns.ts',
  'src/vault.ts',
];

// Each folder below these is a closed room: it knows nothing of its neighbours.
const ROOMS = ['src/sign-in/methods/', 'src/surfaces/'];

// Where an outside library may be imported. A library that is not here gets its line together with its
// decision in docs/decisions/.
const LIBRARIES: Record<string, string[]> = {
  '@koa/router': ['http', 'oidc', 'sign-in', 'surfaces'],
  '@node-rs/argon2': ['sign-in/passwords'],
  '@node-rs/bcrypt': ['sign-in/passwords'],
  '@opentelemetry/api': ['telemetry'],
  '@simplewebauthn/server': ['sign-in/passkeys'],
  '@zxcvbn-ts/language-common': ['sign-in/passwords'],
  argon2: ['sign-in/passwords'],
  bowser: ['users/devices'],
  'disposable-email-domains-js': ['users'],
  ejs: ['http'],
  'intl-messageformat': ['http'],
  ioredis: ['storage'],
  jose: ['apps', 'oidc'],
  koa: ['http', 'oidc', 'sign-in', 'surfaces'],
  maxmind: ['users/places'],
  nodemailer: ['delivery'],
  'oidc-provider': ['oidc'],
  'openid-client': ['sign-in/methods/social', 'sign-in/methods/enterprise', 'surfaces/dev'],
  otplib: ['sign-in/totp'],
  pg: ['storage'],
  'pg-copy-streams': ['storage/dump'],
  pino: ['telemetry'],
  'prom-client': ['telemetry'],
  uqr: ['sign-in/totp'],
  zod: FLOORS.filter((floor) => floor !== 'kernel'),
};
const COMPOSITION_LIBRARIES = ['koa', '@koa/router', 'pg', 'ioredis'];

const NO_NAMES = /^(utils?|helpers?|common|shared|misc|lib|core|base|manager|service|types|constants|index)$/;

// Lists rather than code: they may be longer than 400 lines.
const DECLARATIVE: string[] = [];

describe('the architecture', () => {
  const source = readSourceFiles('src');
  const tests = readSourceFiles('test');

  it('knows every folder of src as a floor, and every file beside them by name', () => {
    const strangers = source.filter(
      ({ path }) => !COMPOSITION.includes(path) && !FLOORS.includes(floorOf(path)),
    );
    expect(paths(strangers)).to.deep.equal([]);
  });

  it('lets a file import its own folder and lower floors only', () => {
    const wrong = imports(source).filter(({ from, to }) => to.startsWith('src/') && level(to) > level(from));
    expect(wrong.map(arrow)).to.deep.equal([]);
    const outside = imports(source).filter(({ to }) => !to.startsWith('src/') && to !== 'package.json');
    expect(outside.map(arrow), 'imports that leave src').to.deep.equal([]);
  });

  it('keeps the methods and the surfaces apart from one another', () => {
    const wrong = imports(source).filter(({ from, to }) =>
      ROOMS.some((room) => {
        const [mine, theirs] = [roomOf(from, room), roomOf(to, room)];
        return mine !== undefined && theirs !== undefined && mine !== theirs;
      }),
    );
    expect(wrong.map(arrow)).to.deep.equal([]);
  });

  it('would break exactly one line if a sign-in method were deleted', () => {
    const entering = imports(source).filter(({ from, to }) => {
      const room = roomOf(to, 'src/sign-in/methods/');
      return room !== undefined && room !== roomOf(from, 'src/sign-in/methods/');
    });
    const methods = new Set(
      source.map(({ path }) => roomOf(path, 'src/sign-in/methods/')).filter((room) => room !== undefined),
    );
    for (const method of methods) {
      const lines = entering.filter(({ to }) => roomOf(to, 'src/sign-in/methods/') === method);
      expect(lines.map(arrow), method).to.have.length(1);
    }
  });

  it('has no import cycle, not even one of types', () => {
    expect(findCycle(source) ?? []).to.deep.equal([]);
  });

  it('imports each outside library in its own folder only', () => {
    const wrong = source.flatMap(({ path, packages }) =>
      packages
        .filter((name) => !name.startsWith('node:') && !mayImport(path, name))
        .map((name) => `${path} imports ${name}`),
    );
    expect(wrong).to.deep.equal([]);
  });

  it('reads the environment in config only', () => {
    expect(mentioning(source, /\bprocess\.env\b/, 'src/config/')).to.deep.equal([]);
  });

  it('writes to the console in the command line only', () => {
    expect(mentioning(source, /\bconsole\.\w/, 'src/surfaces/cli/', 'src/main.ts')).to.deep.equal([]);
  });

  it('never draws from Math.random, which can be foretold', () => {
    expect(mentioning(source, /\bMath\.random\b/)).to.deep.equal([]);
  });

  it('names files and folders in kebab-case and for what they hold', () => {
    const wrong = [...source, ...tests].filter(({ path }) => path.split('/').some(isBadName));
    expect(paths(wrong)).to.deep.equal([]);
  });

  it('keeps files at 400 lines or fewer, tests at 600', () => {
    const long = source.filter(({ path, lines }) => lines > 400 && !DECLARATIVE.includes(path));
    expect(sizes(long)).to.deep.equal([]);
    expect(sizes(tests.filter(({ lines }) => lines > 600))).to.deep.equal([]);
    const largest = source.toSorted((a, b) => b.lines - a.lines);
    const median = largest[Math.floor(largest.length / 2)]?.lines;
    console.log(`      ${source.length} files, median ${median} lines (to hold: 80); the largest:`);
    for (const size of sizes(largest.slice(0, 5))) console.log(`      ${size}`);
  });

  it('keeps functions at 60 lines and 4 parameters or fewer', () => {
    const wrong = source.flatMap((file) =>
      functionsOf(file)
        .filter(({ lines, parameters }) => lines > 60 || parameters > 4)
        .map(
          ({ name, lines, parameters }) => `${file.path} ${name}: ${lines} lines, ${parameters} parameters`,
        ),
    );
    expect(wrong).to.deep.equal([]);
  });

  it('is drawn in the README as it is', () => {
    const file = join(root, 'README.md');
    const readme = existsSync(file) ? readFileSync(file, 'utf8') : '';
    const drawn = [...readme.matchAll(/^```\w*\n(src\/[^]*?)^```/gm)].map((block) => block[1] as string)[0];
    expect(drawn, 'a fenced block in README.md that begins with src/').to.be.a('string');
    const tree = (drawn as string).split(/^\S/m).slice(0, 2).join('');
    const folders = [...tree.matchAll(/^\s{1,4}(?:[├└]── )?([a-z-]+)\//gm)].map(
      (match) => match[1] as string,
    );
    const real = new Set(source.map(({ path }) => floorOf(path)).filter((floor) => FLOORS.includes(floor)));
    expect(folders.toSorted()).to.deep.equal([...real].toSorted());
  });
});

describe('the measuring of functions', () => {
  const code = [
    'export async function one(a: string, { b, c }: { b: number; c: Map<string, number> }): Promise<void> {',
    '  if (a) {',
    '    return;',
    '  }',
    '}',
    '',
    'const two = (',
    '  a: (x: number, y: number) => void,',
    "  b = ',',",
    ') => {',
    '  a(1, 2);',
    '};',
    'class Three {',
    '  async four(a: number, b: [number, number], c: string): Promise<void> {',
    '    call(a, b, c, 4, 5, {',
    '      six: 6,',
    '    });',
    '  }',
    '}',
  ].join('\n');

  it('counts lines and parameters, whatever is nested in them', () => {
    const file = { code } as SourceFile;
    const found = functionsOf(file).map(({ name, lines, parameters }) => [name, lines, parameters]);
    expect(found).to.deep.equal([
      ['one', 5, 2],
      ['two', 6, 2],
      ['four', 5, 3],
    ]);
  });
});

type Import = { from: string; to: string };

function imports(files: SourceFile[]): Import[] {
  return files.flatMap(({ path, imports: targets }) => targets.map((to) => ({ from: path, to })));
}

function level(path: string): number {
  return COMPOSITION.includes(path) ? FLOORS.length : FLOORS.indexOf(floorOf(path));
}

function floorOf(path: string): string {
  return path.split('/')[1] as string;
}

function roomOf(path: string, room: string): string | undefined {
  if (!path.startsWith(room)) return undefined;
  const [name, ...rest] = path.slice(room.length).split('/');
  return rest.length > 0 ? name : undefined;
}

function mayImport(path: string, library: string): boolean {
  if (COMPOSITION.includes(path)) return COMPOSITION_LIBRARIES.includes(library);
  return (LIBRARIES[library] ?? []).some((folder) => path.startsWith(`src/${folder}/`));
}

function mentioning(files: SourceFile[], pattern: RegExp, ...except: string[]): string[] {
  return paths(
    files.filter(({ path, code }) => pattern.test(code) && !except.some((start) => path.startsWith(start))),
  );
}

function isBadName(segment: string): boolean {
  const stem = segment.replace(/(\.(test|contract))?\.\w+$/, '');
  return NO_NAMES.test(stem) || !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(stem);
}

function paths(files: SourceFile[]): string[] {
  return files.map(({ path }) => path);
}

function sizes(files: SourceFile[]): string[] {
  return files.map(({ path, lines }) => `${path}: ${lines} lines`);
}

function arrow({ from, to }: Import): string {
  return `${from} → ${to}`;
}
