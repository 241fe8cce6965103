/**
 * Ends this process when the one that started it has ended, or was killed: nothing is left to work for. It is looked at
 * now and then, for a listener to `disconnect` would keep alive a process that is done.
 */
export function endWithParent() {
  if (!process.connected) return;
  setInterval(() => {
    if (!process.connected) process.exit(0);
  }, 250).unref();
}
