// Who may approve where several lists hold at once: a voter must be in each of them, by name or by
// role. Lists that name nobody by role come down to one. Pure; imports nothing.

export type Approvers = readonly string[];
/** Each must be satisfied; none: anyone of the org with the scope. */
export type ApproverLists = readonly Approvers[];

/** As few lists as say the same. */
export function narrowed(lists: ApproverLists): ApproverLists {
  const each = lists.map((list) => [...new Set(list)].toSorted());
  // Who is in a list is in a wider one, too.
  const needed = each.filter(
    (list, i) =>
      !each.some((other, j) => j !== i && isIn(other, list) && (!isIn(list, other) || j < i)),
  );
  const byName = needed.filter((list) => !list.some(isRole));
  const [first, ...others] = byName;
  if (first === undefined) return needed;
  const common = first.filter((name) => others.every((list) => list.includes(name)));
  return [common, ...needed.filter((list) => list.some(isRole))];
}

const isIn = (smaller: Approvers, larger: Approvers): boolean =>
  smaller.every((name) => larger.includes(name));
const isRole = (name: string): boolean => name.startsWith('role:');

/** How many people could approve at most; Infinity: not known, since roles are named. */
export const mostVoters = (lists: ApproverLists): number =>
  Math.min(Infinity, ...lists.map((list) => (list.some(isRole) ? Infinity : new Set(list).size)));
