// A passage as its vector is made of it: with what its document is called and the headings above it,
// which a sentence cut out of its page lacks. Imports nothing of the project.

/** Models cut what is longer than they take; the end of a passage is what is cut. */
const MAX_CHARS = 8000;

export const textToEmbed = (passage: {
  readonly title: string;
  readonly headings: string;
  readonly body: string;
}): string =>
  [passage.title, passage.headings.split('\n').join(' > '), passage.body]
    .filter((part) => part !== '')
    .join('\n')
    .slice(0, MAX_CHARS);
