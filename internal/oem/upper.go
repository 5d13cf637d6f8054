package oem

// The characters of the bytes 0x80 to 0xFF of the pages that
// golang.org/x/text lacks, 16 to a line; U+FFFD where there is none. Made by
// bytes(range(0x80, 0x100)).decode("cp720", "replace") and so on with the
// codecs of CPython 3.11.
const (
	upper720 = "" +
		"\uFFFD\uFFFDéâ\uFFFDà\uFFFDçêëèïî\uFFFD\uFFFD\uFFFD" +
		"\uFFFD\u0651\u0652ô¤\u0640ûù\u0621\u0622\u0623\u0624£\u0625\u0626\u0627" +
		"\u0628\u0629\u062A\u062B\u062C\u062D\u062E\u062F\u0630\u0631\u0632\u0633\u0634\u0635«»" +
		"░▒▓│┤╡╢╖╕╣║╗╝╜╛┐" +
		"└┴┬├─┼╞╟╚╔╩╦╠═╬╧" +
		"╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀" +
		"\u0636\u0637\u0638\u0639\u063A\u0641µ\u0642\u0643\u0644\u0645\u0646\u0647\u0648\u0649\u064A" +
		"≡\u064B\u064C\u064D\u064E\u064F\u0650≈°∙·√ⁿ²■\u00A0"
	upper737 = "" +
		"ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠ" +
		"ΡΣΤΥΦΧΨΩαβγδεζηθ" +
		"ικλμνξοπρσςτυφχψ" +
		"░▒▓│┤╡╢╖╕╣║╗╝╜╛┐" +
		"└┴┬├─┼╞╟╚╔╩╦╠═╬╧" +
		"╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀" +
		"ωάέήϊίόύϋώΆΈΉΊΌΎ" +
		"Ώ±≥≤ΪΫ÷≈°∙·√ⁿ²■\u00A0"
	upper775 = "" +
		"ĆüéāäģåćłēŖŗīŹÄÅ" +
		"ÉæÆōöĢ¢ŚśÖÜø£Ø×¤" +
		"ĀĪóŻżź”¦©®¬½¼Ł«»" +
		"░▒▓│┤ĄČĘĖ╣║╗╝ĮŠ┐" +
		"└┴┬├─┼ŲŪ╚╔╩╦╠═╬Ž" +
		"ąčęėįšųūž┘┌█▄▌▐▀" +
		"ÓßŌŃõÕµńĶķĻļņĒŅ’" +
		"\u00AD±“¾¶§÷„°∙·¹³²■\u00A0"
	upper857 = "" +
		"ÇüéâäàåçêëèïîıÄÅ" +
		"ÉæÆôöòûùİÖÜø£ØŞş" +
		"áíóúñÑĞğ¿®¬½¼¡«»" +
		"░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐" +
		"└┴┬├─┼ãÃ╚╔╩╦╠═╬¤" +
		"ºªÊËÈ\uFFFDÍÎÏ┘┌█▄¦Ì▀" +
		"ÓßÔÒõÕµ\uFFFD×ÚÛÙìÿ¯´" +
		"\u00AD±\uFFFD¾¶§÷¸°¨·¹³²■\u00A0"
	upper861 = "" +
		"ÇüéâäàåçêëèÐðÞÄÅ" +
		"ÉæÆôöþûÝýÖÜø£Ø₧ƒ" +
		"áíóúÁÍÓÚ¿⌐¬½¼¡«»" +
		"░▒▓│┤╡╢╖╕╣║╗╝╜╛┐" +
		"└┴┬├─┼╞╟╚╔╩╦╠═╬╧" +
		"╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀" +
		"αßΓπΣσµτΦΘΩδ∞φε∩" +
		"≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00A0"
	upper864 = "" +
		"°·∙√▒─│┼┤┬├┴┐┌└┘" +
		"β∞φ±½¼≈«»\uFEF7\uFEF8\uFFFD\uFFFD\uFEFB\uFEFC\uFFFD" +
		"\u00A0\u00AD\uFE82£¤\uFE84\uFFFD\uFFFD\uFE8E\uFE8F\uFE95\uFE99،\uFE9D\uFEA1\uFEA5" +
		"٠١٢٣٤٥٦٧٨٩\uFED1\u061B\uFEB1\uFEB5\uFEB9\u061F" +
		"¢\uFE80\uFE81\uFE83\uFE85\uFECA\uFE8B\uFE8D\uFE91\uFE93\uFE97\uFE9B\uFE9F\uFEA3\uFEA7\uFEA9" +
		"\uFEAB\uFEAD\uFEAF\uFEB3\uFEB7\uFEBB\uFEBF\uFEC1\uFEC5\uFECB\uFECF¦¬÷×\uFEC9" +
		"\u0640\uFED3\uFED7\uFEDB\uFEDF\uFEE3\uFEE7\uFEEB\uFEED\uFEEF\uFEF3\uFEBD\uFECC\uFECE\uFECD\uFEE1" +
		"\uFE7D\u0651\uFEE5\uFEE9\uFEEC\uFEF0\uFEF2\uFED0\uFED5\uFEF5\uFEF6\uFEDD\uFED9\uFEF1■\uFFFD"
	upper869 = "" +
		"\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFDΆ\uFFFD·¬¦‘’Έ―Ή" +
		"ΊΪΌ\uFFFD\uFFFDΎΫ©Ώ²³ά£έήί" +
		"ϊΐόύΑΒΓΔΕΖΗ½ΘΙ«»" +
		"░▒▓│┤ΚΛΜΝ╣║╗╝ΞΟ┐" +
		"└┴┬├─┼ΠΡ╚╔╩╦╠═╬Σ" +
		"ΤΥΦΧΨΩαβγ┘┌█▄δε▀" +
		"ζηθικλμνξοπρσςτ΄" +
		"\u00AD±υφχ§ψ΅°¨ωϋΰώ■\u00A0"
)
