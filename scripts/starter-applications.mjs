import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fastify } from './applications.mjs';
import { checkout, outputOf, run, runNpm } from './run.mjs';

const ADDED = path.join(checkout, 'test/package/application');
/** The examples of docs/testing.md, which are tests of this project. */
const EXAMPLES = path.join(checkout, 'test/docs');
const EXAMPLE = /^(sale|testing-(unit|kit|task|failures|real-time|e2e)\.spec)\.ts$/;
/** What a stall is given up after, in milliseconds: the starters' five seconds are not enough on a busy machine. */
const TIMEOUTS = {
  jest: ['--testTimeout=60000'],
  vitest: ['--testTimeout=60000', '--hookTimeout=60000'],
};
const CACHE = path.join(checkout, 'node_modules/.cache/matrix');

/**
 * Makes an application of the table in `applications.mjs`, installs the tarball into it, and takes its steps.
 *
 * @param application - a row of the table
 * @param attempt - called with a name and the work of each step
 */
export async function runApplication(application, { tarball, databaseUrl, attempt }) {
  const place = mkdtempSync(path.join(os.tmpdir(), 'nestjs-cloacina-'));
  try {
    const folder = await generate(application, place);
    addWorkflow(application, folder);
    await install(application, folder, tarball);
    for (const step of application.steps) {
      const { node, build, test = 'no tests' } = step;
      const name = `${application.name}: Node ${node}, ${build}, ${test}`;
      await attempt(name, () => takeStep(application, step, { folder, databaseUrl }));
    }
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** What `nest new` makes: it runs this schematic. The command itself has no option for what it asks. */
async function generate({ schematics, type }, place) {
  const tools = await cached(`schematics-${schematics}`, [
    `@nestjs/schematics@${schematics}`,
    '@angular-devkit/schematics-cli',
  ]);
  const { command } = await nodeOf('24');
  const answers = ['--name=application', '--package-manager=npm', '--language=ts'];
  if (type !== undefined) answers.push(`--type=${type}`);
  await run(
    command,
    [
      path.join(tools, '@angular-devkit/schematics-cli/bin/schematics.js'),
      `${path.join(tools, '@nestjs/schematics/dist/collection.json')}:application`,
      '--no-dry-run',
      ...answers,
    ],
    { cwd: place, stdio: ['ignore', 'ignore', 'inherit'] },
  );
  return path.join(place, 'application');
}

function addWorkflow({ type, manifest, http, steps }, folder) {
  const isEsm = type === 'esm' || manifest?.type === 'module';
  const add = (name, text) => {
    // Jest's CommonJS finds no TypeScript under the name of its JavaScript.
    const imports = isEsm ? text : text.replaceAll(/((?:from|import) '\.\/[^']*)\.js'/g, "$1'");
    writeFileSync(path.join(folder, 'src', name), imports);
  };
  for (const name of readdirSync(ADDED)) add(name, readFileSync(path.join(ADDED, name), 'utf8'));
  const testRunner = steps.find(({ test }) => test !== undefined)?.test;
  if (testRunner !== undefined) addExamples({ testRunner, http }, add);
  add('readme.ts', readmeExample().code);
  if (isEsm && type === undefined) addFileExtensions(path.join(folder, 'src'));
  edit(path.join(folder, 'package.json'), (content) => {
    Object.assign(content, manifest);
    const { [`@nestjs/platform-express`]: version, ...others } = content.dependencies;
    content.dependencies = { ...others, [http]: version };
  });
}

/** The examples of docs/testing.md, with what the page says of Vitest. */
function addExamples({ testRunner, http }, add) {
  for (const name of readdirSync(EXAMPLES).filter((each) => EXAMPLE.test(each))) {
    // It creates the application as it is with Express.
    if (name.includes('e2e') && http === fastify) continue;
    const text = readFileSync(path.join(EXAMPLES, name), 'utf8');
    add(name, testRunner === 'vitest' ? forVitest(text) : text);
  }
  // Beside `src`, which the builds compile without Vitest's types.
  if (testRunner === 'vitest') add('../test/matchers.ts', vitestExample());
}

function forVitest(text) {
  return text
    .replace("'@jest/globals'", "'vitest'")
    .replaceAll(/\bjest\b/g, 'vi')
    .replace('expect.extend(cloacinaMatchers);', "import '../test/matchers.js';");
}

/** Nest 11's starter is CommonJS. As ES modules, its own imports need the names of files. */
function addFileExtensions(folder) {
  for (const name of readdirSync(folder)) {
    const file = path.join(folder, name);
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replaceAll(/(from '\.\/[^']*?)(\.js)?'/g, "$1.js'"));
  }
}

async function install({ packages, steps }, folder, tarball) {
  const { command, npm } = await nodeOf('24');
  const compilers = steps.some(({ build }) => build === 'swc') ? ['@swc/cli', '@swc/core'] : [];
  const options = ['--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline'];
  await npm(['install', ...options, ...packages, tarball], { cwd: folder });
  if (compilers.length > 0) await npm(['install', '-D', ...options, ...compilers], { cwd: folder });
  return command;
}

async function takeStep({ name, http }, { node, build, test, settings }, { folder, databaseUrl }) {
  const { command, directory, npm } = await nodeOf(node);
  const env = {
    ...process.env,
    PATH: `${directory}${path.delimiter}${process.env.PATH}`,
    NODE_OPTIONS: '',
    DATABASE_URL: databaseUrl,
    SCHEMA: `${name.replaceAll('-', '_')}_${node}`,
    HTTP: http.endsWith('fastify') ? 'fastify' : 'express',
  };
  const options = { cwd: folder, env };
  const inPackages = (file) => path.join(folder, 'node_modules', file);
  rmSync(path.join(folder, 'dist'), { recursive: true, force: true });
  for (const file of readdirSync(folder).filter((each) => each.endsWith('.tsbuildinfo')))
    rmSync(path.join(folder, file));

  const config = path.join(folder, 'tsconfig.json');
  const original = readFileSync(config, 'utf8');
  try {
    if (settings) edit(config, ({ compilerOptions }) => Object.assign(compilerOptions, settings));
    if (build === 'tsc' || build === 'swc') {
      await run(command, [inPackages('@nestjs/cli/bin/nest.js'), 'build', '-b', build], options);
    } else {
      const typescript = await cached(`typescript-${build}`, [`typescript@${build}`]);
      const compiler = path.join(typescript, 'typescript/bin/tsc');
      await run(command, [compiler, '-p', 'tsconfig.build.json'], options);
    }
    // By the starter's own script, which has the flags that its test runner needs.
    if (test !== undefined) await npm(['test', '--', ...TIMEOUTS[test]], options);
    // The test runner does not look at types: those of the matchers come from the test kit.
    if (test === 'vitest' && build === 'tsc')
      await run(command, [inPackages('typescript/bin/tsc'), '--noEmit'], options);
  } finally {
    writeFileSync(config, original);
  }
  await run(command, [compiledFile(folder, 'run.js')], options);
  const { output } = readmeExample();
  const printed = await outputOf(command, [compiledFile(folder, 'readme.js')], options);
  if (printed !== `${output}\n`) throw new Error(`The README's example printed: ${printed}`);
}

/** Where a starter puts its output depends on its `rootDir`. */
function compiledFile(folder, name) {
  const places = ['dist', 'dist/src'].map((place) => path.join(folder, place, name));
  return places.find((file) => existsSync(file)) ?? places[0];
}

/** The first TypeScript of the README, and the text that it says the program prints. */
function readmeExample() {
  const readme = readFileSync(path.join(checkout, 'README.md'), 'utf8');
  const block = (language) => readme.match(new RegExp(`\`\`\`${language}\n([^]*?)\n\`\`\``))?.[1];
  return { code: block('ts'), output: block('text') };
}

/** What docs/testing.md says of Vitest. */
function vitestExample() {
  const page = readFileSync(path.join(checkout, 'docs/testing.md'), 'utf8');
  return page.match(/```ts\n(import [^`]*from 'vitest';[^]*?)\n```/)[1];
}

/** A Node.js of the npm package that brings it for this machine, with the npm that runs this script. */
async function nodeOf(version) {
  const platform = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const packages = await cached(`node-${version}`, [`${platform}@${version}`]);
  const directory = path.join(packages, platform, 'bin');
  const PATH = `${directory}${path.delimiter}${process.env.PATH}`;
  return {
    directory,
    command: path.join(directory, 'node'),
    npm: (args, options) => runNpm(args, { env: { ...process.env, PATH }, ...options }),
  };
}

/** Tools that all rows share, each in a folder of its own. Returns its `node_modules`. */
async function cached(name, packages) {
  const folder = path.join(CACHE, name);
  const packagesFolder = path.join(folder, 'node_modules');
  if (existsSync(path.join(folder, '.complete'))) return packagesFolder;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), '{ "private": true }');
  const options = ['--no-audit', '--no-fund', '--loglevel=error', '--force'];
  await runNpm(['install', ...options, ...packages], { cwd: folder });
  copyFileSync(path.join(folder, 'package.json'), path.join(folder, '.complete'));
  return packagesFolder;
}

function edit(file, change) {
  const content = JSON.parse(readFileSync(file, 'utf8'));
  change(content);
  writeFileSync(file, JSON.stringify(content, null, 2));
}
