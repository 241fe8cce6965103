import { dropTemplate } from './template.mjs';

/** Stops the server that `global-setup.mjs` started. It would end with this process too, but a little later. */
export default async function tearDown() {
  const key = Symbol.for('cloacina.test.server');
  const server = globalThis[key];
  if (server === undefined) return dropTemplate();
  delete globalThis[key];
  delete process.env.DATABASE_URL; // in watch mode the next run starts another one
  await server.stop();
}
