import { AsyncLocalStorage } from 'node:async_hooks';

const used = new Set();

for (const name of ['run', 'enterWith']) {
  const original = AsyncLocalStorage.prototype[name];
  AsyncLocalStorage.prototype[name] = function (...given) {
    used.add(this);
    return original.apply(this, given);
  };
}

/**
 * Until Node 24, every promise of a process asks each storage that was ever used in it. To be called after each test file:
 * jest and the library have storages of their own for each.
 */
export function disableAsyncStorages() {
  for (const storage of used) storage.disable();
  used.clear();
}
