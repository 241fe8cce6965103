'use strict';

const { default: Sequencer } = require('@jest/test-sequencer');

/**
 * Files that take long and are not large. Where no run has left times yet, jest begins with the largest files, so these
 * would come last, and one worker would wait for the other.
 */
const SLOW = [
  'sample/starting',
  'recovery/clocks',
  'fleet/side-by-side',
  'recovery/leases-alone',
  'recovery/budget',
  'recovery/pool-exhausted',
  'recovery/lost-process',
  'idle/rounds',
  'docs/code-blocks',
  'fairness/flood',
];

module.exports = class extends Sequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    if (sorted.some((test) => test.duration !== undefined)) return sorted;
    const isSlow = ({ path }) => SLOW.some((name) => path.includes(`/${name}.spec.`));
    return [...sorted.filter(isSlow), ...sorted.filter((test) => !isSlow(test))];
  }
};
