import vm from 'node:vm';
import { hasImport, LARGE } from './imports-apart.mjs';

const cached = new Map();
let isOn = false;

/** Code of which too little would be spared, or which V8 would not have its `import()` called back for. */
function isLeftOut(code) {
  return code.length < LARGE || hasImport(code);
}

/** What V8 made of the code the last time that this worker compiled it. */
function cacheOf(file, code) {
  const known = cached.get(file);
  return known?.code === code ? known.data : undefined;
}

/**
 * Every test file has a context of its own, for which jest has V8 compile the dependencies, the library and jest's own
 * modules once more: a third of what a small test file costs. With this, each worker compiles them once.
 */
export function cacheCompiledCode() {
  if (isOn) return;
  isOn = true;
  const { compileFunction, SourceTextModule } = vm;
  vm.compileFunction = (code, parameters, options = {}) => {
    const { filename } = options;
    if (filename === undefined || isLeftOut(code)) {
      return compileFunction(code, parameters, options);
    }
    const cachedData = cacheOf(filename, code);
    const produceCachedData = cachedData === undefined;
    const compiled = compileFunction(code, parameters, {
      ...options,
      cachedData,
      produceCachedData,
    });
    if (produceCachedData) cached.set(filename, { code, data: compiled.cachedData });
    return compiled;
  };
  vm.SourceTextModule &&= class extends SourceTextModule {
    constructor(code, options) {
      const { identifier } = options;
      if (isLeftOut(code)) {
        super(code, options);
        return;
      }
      const cachedData = cacheOf(identifier, code);
      try {
        super(code, { ...options, cachedData });
      } catch (error) {
        if (error.code !== 'ERR_VM_MODULE_CACHED_DATA_REJECTED') throw error;
        // A test has changed flags of V8, such as that for `gc()`. What was compiled before is worth nothing then.
        cached.clear();
        super(code, options);
      }
      if (cacheOf(identifier, code) === undefined) {
        cached.set(identifier, { code, data: this.createCachedData() });
      }
    }
  };
}
