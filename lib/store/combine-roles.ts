type RoleClass<Shared> = new (shared: Shared) => object;

type Intersection<U> = (U extends unknown ? (each: U) => void : never) extends (
  all: infer All,
) => void
  ? All
  : never;

/**
 * Makes one class with the methods of all roles, like Nest's `IntersectionType`. So each role of a store has a class and a
 * file of its own, and the engine has one object from which a part takes the roles that it needs.
 *
 * The methods are on the prototype: a store costs no more memory than its own fields, however many roles there are. Only
 * the constructor of `Base` runs, so a role has no fields. State that belongs to a role is part of `Shared`.
 *
 * @throws TypeError if two roles have a method of the same name
 */
export function combineRoles<Shared, Roles extends readonly RoleClass<Shared>[]>(
  Base: abstract new (shared: Shared) => object,
  ...roles: Roles
): new (shared: Shared) => Intersection<InstanceType<Roles[number]>> {
  const Combined = class extends Base {};
  for (const role of roles) {
    const { constructor: _, ...members } = Object.getOwnPropertyDescriptors(role.prototype);
    for (const name of Object.keys(members)) {
      if (name in Combined.prototype) {
        throw new TypeError(
          `${role.name}: another role has a member "${name}" already. Rename it.`,
        );
      }
    }
    Object.defineProperties(Combined.prototype, members);
  }
  return Combined as never;
}
