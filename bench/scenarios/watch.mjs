import { measureWatch, measureIdlePeers } from '../watch.mjs';

export const watch = {
  name: 'watch',
  title:
    'What 1 to 32 processes cost together that have nothing to do, and how soon they notice a loss',
  run: async ({ server, quick }) => {
    const counts = quick ? [1, 2, 8] : [1, 2, 8, 16, 32];
    return {
      tables: [
        await measureWatch(server, { counts, seconds: quick ? 10 : 30, kills: quick ? 3 : 15 }),
        await measureIdlePeers(server, { counts: quick ? [1, 8] : [1, 8, 32], seconds: 10 }),
      ],
    };
  },
};
