import { CommandFailure } from './exit-code.js';

type Library = typeof import('../index.js');
type Client = typeof import('../client/open-client.js');

/**
 * The library, loaded when a command needs it: help and mistakes in arguments must not wait for TypeORM and Nest.
 *
 * @throws CommandFailure if the packages that the library is used with are not installed here
 */
export function loadLibrary(): Promise<Library> {
  return loaded(() => import('../index.js'));
}

/** The client, which loads Nest. Throws as {@link loadLibrary}. */
export function loadClient(): Promise<Client> {
  return loaded(() => import('../client/open-client.js'));
}

async function loaded<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const missing = /Cannot find (?:package|module) '([^']+)'/.exec(String(error))?.[1];
    if (missing === undefined) throw error;
    throw new CommandFailure(
      `The package ${missing} is not installed. Run the command in the folder of an application that uses nestjs-cloacina.`,
    );
  }
}
