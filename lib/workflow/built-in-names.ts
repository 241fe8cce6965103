/** How the names of the library's own workflows begin. Workflows of the application must not have such names. */
export const BUILT_IN_PREFIX = 'cloacina.';

export function isBuiltInName(name: string): boolean {
  return name.startsWith(BUILT_IN_PREFIX);
}
