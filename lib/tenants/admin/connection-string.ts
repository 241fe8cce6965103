import type pg from 'pg';

/** Parameters of the admin's URL that are specific to its login, or that the new URL sets itself. */
const LEFT_OUT = [
  'host',
  'port',
  'db',
  'encoding',
  'user',
  'password',
  'sslcert',
  'sslkey',
  'sslpassword',
  'options',
  'application_name',
];

/** A URL by which `username` connects to the database of `client`. Names and password are encoded. */
export function connectionStringFor(
  client: pg.Client,
  login: { readonly database: string; readonly username: string; readonly password: string },
  /** The URL of the admin's connection, if it has one. Its TLS parameters apply to the other login too. */
  adminUrl: string | undefined,
): string {
  const parameters = new URLSearchParams(adminUrl === undefined ? '' : queryOf(adminUrl));
  for (const name of LEFT_OUT) parameters.delete(name);
  const isSocket = client.host.startsWith('/');
  if (isSocket) parameters.set('host', client.host);
  const host = isSocket ? '' : client.host.includes(':') ? `[${client.host}]` : client.host;
  const port = isSocket ? '' : `:${client.port}`;
  if (isSocket && client.port !== 5432) parameters.set('port', String(client.port));
  const username = encodeURIComponent(login.username);
  const password = encodeURIComponent(login.password);
  // Encoded as the driver decodes it: characters that URLs reserve stay, except those that would end the path.
  const database = encodeURI(login.database).replaceAll('?', '%3F').replaceAll('#', '%23');
  const query = parameters.size === 0 ? '' : `?${parameters.toString()}`;
  return `postgres://${username}:${password}@${host}${port}/${database}${query}`;
}

function queryOf(url: string): string {
  const at = url.indexOf('?');
  return at === -1 ? '' : url.slice(at);
}
