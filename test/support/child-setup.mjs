import module, { register } from 'node:module';
import keepCompiledCode from './cached-code.cjs';
import { endWithParent } from './end-with-parent.mjs';

endWithParent();
keepCompiledCode();
// What `compile-for-children.mjs` has compiled needs no loader, which would take more time than all else.
if (process.argv[1]?.endsWith('.ts')) register('./typescript-loader.mjs', import.meta.url);

// Node would keep the code that it has compiled (`scripts/test.mjs`) at its exit, and most of these processes are killed.
setTimeout(() => module.flushCompileCache?.(), 500).unref();
