import http from 'node:http';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import pg from 'pg';

interface Definition {
  readonly name: string;
  patch(module: unknown, version?: string): unknown;
}

/**
 * Instruments `pg` and `http` as their instrumentations do when a module is loaded. A test runner loads modules in a way of its
 * own, which they don't see.
 */
export function instrument(): void {
  const modules: Readonly<Record<string, unknown>> = {
    pg,
    'pg-pool': Object.getPrototypeOf(pg.Pool),
    http,
  };
  for (const instrumentation of [new PgInstrumentation(), new HttpInstrumentation()]) {
    const init = Reflect.get(instrumentation, 'init') as () => Definition[] | Definition;
    for (const definition of [Reflect.apply(init, instrumentation, [])].flat()) {
      const module = modules[definition.name];
      if (module !== undefined) definition.patch(module, process.versions.node);
    }
  }
}
