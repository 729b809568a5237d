// Puts each program of test/interop/clients into its guide in docs/integrate, between the lines
// `<!-- program: path -->` and `<!-- end of program -->`. A test fails when a guide is stale.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const languages: Record<string, string> = {
  '.mjs': 'js',
  '.py': 'python',
  '.go': 'go',
  '.java': 'java',
  '.rs': 'rust',
};

/** The guides as they should be, by path from the root. */
export function integrationGuides(): Map<string, { is: string; shouldBe: string }> {
  const folder = join(root, 'docs', 'integrate');
  return new Map(
    readdirSync(folder)
      .filter((name) => name.endsWith('.md'))
      .map((name) => {
        const is = readFileSync(join(folder, name), 'utf8');
        return [join('docs', 'integrate', name), { is, shouldBe: withPrograms(is) }];
      }),
  );
}

function withPrograms(guide: string): string {
  return guide.replace(
    /<!-- program: (\S+) -->\n[\s\S]*?<!-- end of program -->/g,
    (_whole, path: string) =>
      `<!-- program: ${path} -->\n\`\`\`${languages[extname(path)] ?? ''}\n${readFileSync(join(root, path), 'utf8').trimEnd()}\n\`\`\`\n<!-- end of program -->`,
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const [path, { shouldBe }] of integrationGuides()) writeFileSync(join(root, path), shouldBe);
