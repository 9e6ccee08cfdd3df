// Style sheets are imported for their class names, or for their rules alone.

declare module '*.module.css' {
  const names: Readonly<Record<string, string>>;
  export default names;
}
declare module '*.css';
