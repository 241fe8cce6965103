import vm from 'node:vm';

/** Characters from which on the cache spares more than its check costs. */
const LARGE = 10_000;

const cached = new Map();
let isOn = false;

/** What V8 made of the code the last time that this worker compiled it. */
function cacheOf(file, code) {
  const known = cached.get(file);
  return known?.code === code ? known.data : undefined;
}

function keep(file, code, data) {
  if (data !== undefined) cached.set(file, { code, data });
}

/**
 * Every test file has a context of its own, for which jest has V8 compile the dependencies, the library and jest's own
 * modules once more: a quarter of what a small test file costs. With this they are compiled once in each worker.
 */
export function cacheCompiledCode() {
  if (isOn) return;
  isOn = true;
  const { compileFunction, SourceTextModule } = vm;
  vm.compileFunction = (code, parameters, options) => {
    const { filename } = options ?? {};
    if (filename === undefined || code.length < LARGE) {
      return compileFunction(code, parameters, options);
    }
    const cachedData = cacheOf(filename, code);
    const compiled = compileFunction(code, parameters, {
      ...options,
      cachedData,
      produceCachedData: cachedData === undefined,
    });
    keep(filename, code, compiled.cachedData);
    return compiled;
  };
  vm.SourceTextModule &&= class extends SourceTextModule {
    constructor(code, options) {
      const { identifier } = options;
      const cachedData = code.length < LARGE ? undefined : cacheOf(identifier, code);
      super(code, { ...options, cachedData });
      if (code.length >= LARGE && cachedData === undefined) {
        keep(identifier, code, this.createCachedData());
      }
    }
  };
}
