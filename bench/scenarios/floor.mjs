import { measureThroughput } from '../throughput.mjs';

/** What is left when nothing but the library's two hot statements is run: no contender can be faster with its tables. */
export const floor = {
  name: 'floor',
  title: 'The library against its own statements in batches, and nothing else',
  run: async ({ server, rounds }) => ({ tables: [await measureThroughput(server.url, rounds)] }),
};
