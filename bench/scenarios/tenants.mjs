/** A thousand of ours, then a hundred of those peers that have an instance a schema. Prints what it finds on the way. */
export const tenants = {
  name: 'tenants',
  title: 'Tenants by the hundred in one process: booting, idle, at work, beside a flood',
  async run({ server, quick }) {
    const { measureTenants } = await import('../tenants.mjs');
    const { measureTenantsOfPeers } = await import('../tenants-peers.mjs');
    const ours = await measureTenants(server.url, quick ? 100 : undefined);
    return { tables: [ours, await measureTenantsOfPeers(server, quick ? 10 : undefined)] };
  },
};
