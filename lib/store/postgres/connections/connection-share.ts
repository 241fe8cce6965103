/** Processes for which connections are kept free, so that one can join before the others have closed some of theirs. */
const SPARE_PROCESSES = 2;
/** The control connection of a process, which is not in its pool. */
const CONTROL = 1;

/**
 * Number of connections that the pool of each process may have, if all processes of a database share those of its server
 * equally. With the 97 connections of a default server: 10 and more for up to 6 processes, 4 for 16, 3 for 20.
 *
 * @param usable - connections that the server has for ordinary roles
 * @param processes - number of processes, including this one
 */
export function connectionShare(usable: number, processes: number): number {
  return Math.floor(usable / (processes + SPARE_PROCESSES)) - CONTROL;
}
