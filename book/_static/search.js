// In the summaries of search results a formula is left out, where Sphinx would show its TeX.
const htmlToText = Search.htmlToText;
Search.htmlToText = (page, anchor) => htmlToText(page.replace(/<(div|span) class="math[^>]*>.*?<\/\1>/gs, "…"), anchor);
