/** What is left when nothing but the library's two hot statements is run: no contender can be faster with its tables. */
export const floor = {
  name: 'floor',
  title: 'The library against its own statements in batches, and nothing else',
  run: async ({ server, rounds }) => {
    const { measureThroughput } = await import('../throughput.mjs');
    return { tables: [await measureThroughput(server.url, rounds)] };
  },
};
