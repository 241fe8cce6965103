import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildLibrary, packageEntries } from './build.mjs';
import { ensureDependencies } from './dependencies.mjs';
import { checkout, exitCodeOf, isMain, main } from './run.mjs';

/**
 * The public types of an entry as one text. It is committed, so that a review sees how a change alters them.
 * `nestjs-cloacina/otel` has `nestjs-cloacina-otel.api.md`.
 */
const reportOf = (entry) =>
  path.join(checkout, 'etc', `nestjs-cloacina${entry === 'index' ? '' : `-${entry}`}.api.md`);

/** Compares the committed reports with the types of the library. */
export async function checkApi() {
  await buildLibrary();
  for (const entry of packageEntries())
    await withReport(entry, (fresh) => compareReports(reportOf(entry), fresh));
}

/** Prints how the reports differ, and throws if they do. */
export async function compareReports(committed, fresh) {
  if (textOf(fresh) === textOf(committed)) return;
  // Where there is no git, the sentence is what is left.
  await exitCodeOf('git', ['--no-pager', 'diff', '--no-index', '--', committed, fresh]).catch(
    () => undefined,
  );
  throw new Error(
    `The public API differs from ${path.relative(checkout, committed)}. If that is intended, run ` +
      '"npm run api:update" and commit the file with the change.',
  );
}

async function updateApi() {
  await ensureDependencies();
  await buildLibrary();
  for (const entry of packageEntries()) {
    const report = reportOf(entry);
    await withReport(entry, (fresh) => {
      mkdirSync(path.dirname(report), { recursive: true });
      copyFileSync(fresh, report);
    });
    console.log(`Wrote ${path.relative(checkout, report)}.`);
  }
}

/** Calls `use` with the path of a report that is made from `dist`, and removes it afterwards. */
async function withReport(entry, use) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'nestjs-cloacina-api-'));
  try {
    await extractTo(entry, folder);
    await use(path.join(folder, path.basename(reportOf(entry))));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function extractTo(name, folder) {
  // Only now is it installed: `npm run api:update` loads this file in a fresh clone.
  const { Extractor, ExtractorConfig, ExtractorLogLevel } =
    await import('@microsoft/api-extractor');
  const entry = path.join(checkout, 'dist', `${name}.d.ts`);
  const config = ExtractorConfig.prepare({
    packageJsonFullPath: path.join(checkout, 'package.json'),
    configObjectFullPath: undefined,
    configObject: {
      projectFolder: checkout,
      mainEntryPointFilePath: entry,
      newlineKind: 'lf',
      compiler: { overrideTsconfig: tsconfigOf(entry) },
      apiReport: {
        enabled: true,
        reportFileName: path.basename(reportOf(name)),
        // A change of a type that the API only refers to is a change of the API.
        includeForgottenExports: true,
        reportFolder: folder,
        reportTempFolder: path.join(folder, 'temp'),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: MESSAGES,
    },
  });
  const errors = [];
  const { succeeded, errorCount } = Extractor.invoke(config, {
    localBuild: true, // writes the report in place of comparing it
    messageCallback: (message) => {
      if (
        message.logLevel === ExtractorLogLevel.Error ||
        (isUnnamedType(message) && !(name !== 'index' && isOfIndex(message)))
      )
        errors.push(message.formatMessageWithLocation(checkout));
      message.handled = true;
    },
  });
  if (!succeeded || errorCount > 0 || errors.length > 0)
    throw new Error(`api-extractor: ${errors.join('\n')}`);
}

/**
 * The types that infer contexts from workflows stay private: the report shows them, and no application needs their names.
 * Any other type that the API uses must be exported, or written out where it is used.
 */
const INFERENCE = ['dist/discovery/'];

/** Whether the API uses a type that applications can't name. */
export function isUnnamedType({ messageId, sourceFilePath }) {
  if (messageId !== 'ae-forgotten-export') return false;
  const file = path.relative(checkout, sourceFilePath ?? '').replaceAll(path.sep, '/');
  return !INFERENCE.some((folder) => file.startsWith(folder));
}

/** Whether the type is in the report of the main entry, from which applications import it. */
function isOfIndex({ text }) {
  const [, symbol] = /The symbol "(\w+)"/.exec(text) ?? [];
  return new RegExp(`^(export )?(abstract )?(class|interface|type) ${symbol}\\b`, 'm').test(
    textOf(reportOf('index')),
  );
}

/** The compiler's options of the project, for the declarations that it made. */
function tsconfigOf(entry) {
  const { compilerOptions } = JSON.parse(textOf(path.join(checkout, 'tsconfig.json')));
  const { paths: _paths, rootDir: _rootDir, ...options } = compilerOptions;
  return { compilerOptions: options, files: [entry] };
}

/** The report lists types. Of what api-extractor says about them, it keeps what a reader of the types must know. */
const MESSAGES = {
  compilerMessageReporting: { default: { logLevel: 'error' } },
  extractorMessageReporting: {
    default: { logLevel: 'error' },
    // A type that the API names and the index does not export: see isUnnamedType.
    'ae-forgotten-export': { logLevel: 'warning' },
    // Declarations are public unless they are @internal, and those are stripped by the compiler.
    'ae-missing-release-tag': { logLevel: 'none' },
    // The report marks these "(undocumented)"; names like `schema` need no sentence.
    'ae-undocumented': { logLevel: 'none' },
    // Editors resolve `{@link start}` within a class, TSDoc's syntax for it is another one.
    'ae-unresolved-link': { logLevel: 'none' },
  },
  tsdocMessageReporting: { default: { logLevel: 'none' } },
};

function textOf(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

if (isMain(import.meta)) await main(updateApi);
