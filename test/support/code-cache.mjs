import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import v8 from 'node:v8';
import vm from 'node:vm';
import { hasImport, LARGE } from './imports-apart.mjs';

const bundles = path.resolve(import.meta.dirname, '../../.cloacina') + path.sep;
/** V8 takes what it has compiled with the same flags alone. */
const suffix = `.${v8.cachedDataVersionTag()}.cache`;
/** Test files of a worker after which it keeps what it has compiled, for a file may run much that none did before. */
const KEPT_AFTER = [1, 4, 16];

const scripts = new Map();
const toKeep = new Map();
let isOn = false;
let files = 0;

/**
 * Every test file has a context of its own, for which jest has V8 compile the dependencies, the library and jest's own
 * modules once more: a third of what a small test file costs. With this, each worker compiles them once: the script of a
 * module is run in each context, and functions that V8 compiles when they are called are shared with it.
 */
export function shareCompiledCode() {
  if (isOn) return;
  isOn = true;
  const { compileFunction } = vm;
  vm.compileFunction = (code, parameters, options = {}) => {
    const { filename, parsingContext } = options;
    const script = filename && parsingContext && scriptOf(filename, code, parameters);
    if (!script) return compileFunction(code, parameters, options);
    return script.runInContext(parsingContext);
  };
}

/** Undefined for what has to be compiled for each file. */
function scriptOf(filename, code, parameters) {
  const known = scripts.get(filename);
  if (known?.code === code && known.parameters === parameters.join()) return known.script;
  const script = compile(filename, code, parameters);
  scripts.set(filename, { code, parameters: parameters.join(), script });
  return script;
}

function compile(filename, code, parameters) {
  // The callback of an `import()` is that of one file.
  if (hasImport(code)) return undefined;
  const isKept = filename.startsWith(bundles) && code.length >= LARGE;
  const cachedData = isKept ? contentOf(`${filename}${suffix}`) : undefined;
  const head = `(function (${parameters.join(', ')}) {`;
  let script;
  try {
    script = new vm.Script(`${head}${code}\n})`, {
      filename,
      columnOffset: -head.length,
      cachedData,
    });
  } catch {
    // The caller goes on with `compileFunction()`, which reports the mistake in its own way.
    return undefined;
  }
  if (isKept && (cachedData === undefined || script.cachedDataRejected)) {
    toKeep.set(`${filename}${suffix}`, script);
  }
  return script;
}

function contentOf(file) {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}

/**
 * To be called after each test file. Keeps what was compiled of the bundles beside them, with the functions that have run:
 * for the workers that jest starts in place of this one, and for the next run.
 */
export function keepCompiledCode() {
  if (!KEPT_AFTER.includes(++files)) return;
  for (const [file, script] of toKeep) keep(file, script.createCachedData());
}

/** In one step, for other workers may read it. */
function keep(file, data) {
  const draft = `${file}.${process.pid}`;
  try {
    writeFileSync(draft, data);
    renameSync(draft, file);
  } catch (error) {
    // Another run has made the bundle anew.
    if (error.code !== 'ENOENT') throw error;
  }
}
