/**
 * Writes the libraries of the players' page anew, from the packages that package-lock.json pins: `make vendor`.
 *
 * Each becomes one module without imports; `versions.json` says what it was made of, and its hash. With `--check`
 * nothing is written: it fails when a file is not what the packages give.
 */

import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = dirname(fileURLToPath(import.meta.url));
const ROOT = join(FOLDER, '../..');
const MODULES = ['pixi', 'preact'];

/** The package of a bundled file, such as `node_modules/@preact/signals/dist/signals.mjs`. */
const packageOf = (path) => path.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1];

async function bundled(name) {
  const { outputFiles, metafile } = await build({
    entryPoints: [join(FOLDER, `${name}.entry.mjs`)],
    bundle: true,
    format: 'esm',
    legalComments: 'none',
    metafile: true,
    minify: true,
    target: 'es2022',
    write: false,
    absWorkingDir: ROOT,
  });
  const code = `/* See LICENSES.txt and versions.json. */\n${outputFiles[0].text}`;
  const packages = [...new Set(Object.keys(metafile.inputs).map(packageOf).filter(Boolean))].sort();
  return { name, code, packages };
}

async function described(name) {
  const folder = join(ROOT, 'node_modules', name);
  const { version, license, author } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const file = (await readdir(folder)).find((one) => /^licen[cs]e/i.test(one));
  // One package names its licence without its text.
  const text = file ? await readFile(join(folder, file), 'utf8') : `${license}, by ${author?.name ?? author}`;
  return { name, version, license, text };
}

const modules = await Promise.all(MODULES.map(bundled));
const packages = await Promise.all([...new Set(modules.flatMap((one) => one.packages))].sort().map(described));
const versions = {
  packages: Object.fromEntries(packages.map(({ name, version, license }) => [name, { version, license }])),
  files: Object.fromEntries(
    modules.map(({ name, code, packages: used }) => [
      `${name}.js`,
      { sha256: createHash('sha256').update(code).digest('hex'), packages: used },
    ]),
  ),
};
const files = {
  ...Object.fromEntries(modules.map(({ name, code }) => [`${name}.js`, code])),
  'versions.json': `${JSON.stringify(versions, null, 2)}\n`,
  'LICENSES.txt': packages
    .map(({ name, version, text }) => `${name} ${version}\n${'='.repeat(60)}\n\n${text.trim()}\n`)
    .join('\n\n'),
};
for (const [name, content] of Object.entries(files)) {
  const path = join(FOLDER, name);
  if (!process.argv.includes('--check')) await writeFile(path, content);
  else if ((await readFile(path, 'utf8')) !== content) {
    process.stderr.write(`web/vendor/${name} is not what the packages give: run \`make vendor\`.\n`);
    process.exitCode = 1;
  }
}
