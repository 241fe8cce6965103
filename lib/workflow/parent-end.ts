/** What happens to a child that has not ended when its parent is Cancelled or Failed. */
export type ParentEnd = 'cancel' | 'abandon';

export const PARENT_ENDS: readonly ParentEnd[] = ['cancel', 'abandon'];
