import { chainOfTen, chainOfThree } from './chains.mjs';
import { floor } from './floor.mjs';
import { oneTask } from './one-task.mjs';
import { recovery } from './recovery.mjs';

/** In the order in which a whole run goes through them. */
export const scenarios = [oneTask, chainOfThree, chainOfTen, recovery, floor];
