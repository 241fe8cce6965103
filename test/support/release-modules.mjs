import vm from 'node:vm';

const loaded = [];

/**
 * Node 20 keeps a module of a `vm` context for as long as one of the modules that it imports, until the importing module
 * is instantiated by a call of its own; jest makes that call for the test file alone. So every file's context stayed in
 * memory, with all that its tests had made: two gigabytes at the end of a run, and collecting the garbage beside them took
 * three times as long as a test file did.
 */
vm.SourceTextModule &&= class extends vm.SourceTextModule {
  constructor(...args) {
    super(...args);
    loaded.push(this);
  }
};

/** Lets go of what the test file has loaded, when it is over. Does nothing where Node has no such method any more. */
export function releaseModules() {
  for (const module of loaded.splice(0)) {
    if (module.status === 'evaluated') wrapOf(module)?.instantiate?.();
  }
}

function wrapOf(module) {
  const symbol = Object.getOwnPropertySymbols(module).find(
    ({ description }) => description === 'kWrap',
  );
  return symbol && module[symbol];
}
