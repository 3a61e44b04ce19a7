/* The same as an ES module: their loader is loaded at first use. */
export const handler = async (event) => event;
